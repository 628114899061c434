# lib/mail
lib_libpostern_a_SOURCES += %D%/header.c %D%/header.h
lib_libpostern_a_SOURCES += \
	%D%/address.c %D%/address.h %D%/bodystructure.c %D%/imap.c %D%/imap.h \
	%D%/lex.c %D%/lex.h %D%/mime.c %D%/mime.h %D%/mime_field.c \
	%D%/mime_field.h
