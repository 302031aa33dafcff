"""Layer maps: which module carries messages from which buffer to which."""

from bionet.layer_maps.senders import SENDERS, Senders, is_selected
from bionet.layer_maps.shared import Shared
from bionet.layer_maps.sparse import LayerMap, leaf_name

__all__ = ["SENDERS", "LayerMap", "Senders", "Shared", "is_selected", "leaf_name"]
