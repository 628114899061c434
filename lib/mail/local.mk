# lib/mail
lib_libpostern_a_SOURCES += %D%/header.c %D%/header.h
