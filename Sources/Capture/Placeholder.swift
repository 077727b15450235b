// Placeholder until the first file of Capture lands.
