"""Configurations and channels to start from: copy one and change it."""
