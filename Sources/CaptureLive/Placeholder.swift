// Placeholder until the first file of CaptureLive lands.
