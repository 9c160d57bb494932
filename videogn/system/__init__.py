"""Operating system: processes that can be killed, files, cores, devices, sizes, and processes that work together."""
