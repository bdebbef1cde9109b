//! What this engine does more simply than Kubernetes, since anything else would need
//! a cluster. Each result carries the list.

use crate::facts::Simplification;

pub const ALL: &[Simplification] = &[
    Simplification {
        what: "starting",
        here: "a process starts at once",
        on_a_cluster: "a pod is scheduled, its image is looked for and its sandbox made before that",
    },
    Simplification {
        what: "stopping",
        here: "a replica is asked to end as soon as its connections are answered",
        on_a_cluster: "its preStop hook runs to the end first, however idle it is",
    },
    Simplification {
        what: "volumes",
        here: "a folder, made and deleted at once",
        on_a_cluster: "a provisioner makes and deletes it, in a pod of its own",
    },
    Simplification {
        what: "noticing",
        here: "the end of a process and a change of readiness reach the service within 20 ms",
        on_a_cluster: "a kubelet looks at its containers once a second, and every node hears of it \
                       after that",
    },
    Simplification {
        what: "limits",
        here: "a process takes the memory and the processors that it wants",
        on_a_cluster: "beyond its memory limit it is killed",
    },
    Simplification {
        what: "network",
        here: "requests stay on this machine",
        on_a_cluster: "they cross the network of the nodes",
    },
];
