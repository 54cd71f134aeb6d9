"""What the programs of the second set should do: models in plain Python, and the packets they are asked about."""
