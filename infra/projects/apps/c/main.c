#include <stdio.h>
#include "multiply.h"
int main(void) { return printf("6 * 7 = %d\n", multiply(6, 7)) < 0; }
