"""What the operating system gives: processes that can be killed, files, cores, devices, sizes, ranks."""
