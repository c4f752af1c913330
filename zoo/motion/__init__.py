"""What every model from speech to motion shares."""
