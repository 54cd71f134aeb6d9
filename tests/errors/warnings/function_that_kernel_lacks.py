from pybpf import fentry
from pybpf.kernel import sock


@fentry("tcp_conect")
def connected(sk: sock) -> None:
    pass
