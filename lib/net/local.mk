# lib/net
lib_libpostern_a_SOURCES += %D%/dns.c %D%/dns.h \
	%D%/smtp-client.c %D%/smtp-client.h %D%/smtp-reply.c \
	%D%/smtp-reply.h \
	%D%/conn.c %D%/conn.h %D%/exchange.c %D%/exchange.h %D%/frame.c %D%/frame.h \
	%D%/login.c %D%/login.h %D%/nursery.c %D%/nursery.h \
	%D%/proxy.c %D%/proxy.h %D%/relay.c \
	%D%/service.c %D%/service.h %D%/session.c %D%/session.h \
	%D%/sign.c %D%/sign.h \
	%D%/smtp-data.c %D%/smtp-data.h %D%/smtp-path.c %D%/smtp-path.h \
	%D%/tls.c %D%/tls.h %D%/tls-key.c %D%/tls-own.h %D%/tls-server.c
