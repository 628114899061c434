# t/crash
