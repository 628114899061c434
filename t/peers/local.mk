# t/peers
