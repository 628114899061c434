lib_libpostern_a_SOURCES += \
	%D%/cdbfile.c %D%/cdbfile.h \
	%D%/sasl.c %D%/sasl.h %D%/secrets.c %D%/secrets.h \
	%D%/userdb.c %D%/userdb.h %D%/users.c %D%/users.h
