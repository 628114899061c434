# handlers/pop3
