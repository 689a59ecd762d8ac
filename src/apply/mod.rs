//! Pure: wanted × record × live → steps; conflict policy; final inventory.
