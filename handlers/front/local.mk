# handlers/front
