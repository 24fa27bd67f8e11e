//! Asks a server on loopback that answers as it is told.
