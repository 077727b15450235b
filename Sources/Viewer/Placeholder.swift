// Placeholder until the first file of Viewer lands.
