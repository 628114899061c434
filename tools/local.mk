# tools
EXTRA_DIST += %D%/packages
