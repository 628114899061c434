# lib/queue
