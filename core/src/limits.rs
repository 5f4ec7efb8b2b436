//! Every bound in one place: what a peer or a caller can make grow, and how far.
