//! Variable byte integers, length-prefixed strings and the cursor that reads them.
