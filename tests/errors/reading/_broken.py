VALUE = (1, 2
