# mailfs
