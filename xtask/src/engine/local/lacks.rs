//! What an engine without a cluster cannot do.

use terms::lang::both;

use crate::engine::capability::{Capability, Lack};

/// What processes of this machine cannot stand for.
pub const LACKS: &[Lack] = &[
    Lack {
        what: Capability::Nodes,
        why: both(
            "its replicas are processes of this machine, so there is no node that could stop",
            "ses répliques sont des processus de cette machine : il n'y a pas de nœud qui puisse \
             s'arrêter",
        ),
    },
    Lack {
        what: Capability::Import,
        why: both(
            "its replicas run the application from the checkout, so there is no image",
            "ses répliques exécutent l'application du dépôt : il n'y a pas d'image",
        ),
    },
    Lack {
        what: Capability::Push,
        why: both(
            "its replicas run the application from the checkout, so there is no image",
            "ses répliques exécutent l'application du dépôt : il n'y a pas d'image",
        ),
    },
];
