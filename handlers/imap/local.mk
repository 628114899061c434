# handlers/imap
