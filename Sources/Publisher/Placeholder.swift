// Placeholder until the first file of Publisher lands.
