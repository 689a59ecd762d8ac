//! The conductor: asks the pure rooms, tells the outside rooms, keeps the records.
