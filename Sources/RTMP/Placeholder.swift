// Placeholder until the first file of RTMP lands.
