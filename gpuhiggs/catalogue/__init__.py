"""What is known about data beforehand: luminosity masks, datasets, cross sections."""
