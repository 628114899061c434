# handlers/smtp
