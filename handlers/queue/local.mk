# handlers/queue
