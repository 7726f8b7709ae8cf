"""What the twin adds to the emulator's AWS IoT Core."""
