//! husky, lefthook and pre-commit, as their registries have them, with the lines that `keyagent hook install` prints.
