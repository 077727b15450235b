// Placeholder until the first file of Results lands.
