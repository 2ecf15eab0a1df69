package main

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "hello from go %d\n", len(uuid.NewString()))
	})
	panic(http.ListenAndServe(":8080", nil))
}
