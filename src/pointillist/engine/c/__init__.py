"""Run integer programs by `runtime/pointillist.c`: lower a program to its bytes, and call the library by ctypes."""
