//! What is stored: tenant record, claim, inventory, bundle, rollout record; types, codec, sizes, legal transitions.
