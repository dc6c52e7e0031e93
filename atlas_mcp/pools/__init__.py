"""Recorded answers as pools."""
