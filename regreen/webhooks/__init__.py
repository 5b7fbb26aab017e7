"""What the four providers' webhooks say: verified, then cut down to a `ForgeEvent`. No I/O."""
