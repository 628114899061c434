# t/unit

# Messages.
check_PROGRAMS += t/unit/mailtree t/unit/mail.t t/unit/text.t
t_unit_mailtree_SOURCES = t/unit/mailtree.c
t_unit_mail_t_SOURCES = t/unit/mail.c t/unit/tap.h
t_unit_text_t_SOURCES = t/unit/text.c t/unit/tap.h
TESTS += t/unit/mail.t t/unit/text.t
