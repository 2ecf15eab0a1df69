int multiply(int a, int b);
