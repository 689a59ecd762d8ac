//! Wanted against found → changes; grouped over tenants; as text, markdown, JSON.
