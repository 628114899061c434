include handlers/front/local.mk
include handlers/imap/local.mk
include handlers/pop3/local.mk
include handlers/smtp/local.mk
include handlers/queue/local.mk
