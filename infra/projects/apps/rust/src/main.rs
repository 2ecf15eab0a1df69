fn main() {
    println!("fib(20) = {}", app::fib(20));
}
