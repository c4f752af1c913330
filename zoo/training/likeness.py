"""Whether pictures show one person, by the face recogniser where it is installed."""

import warnings

import numpy as np
import torch
from scipy.spatial.distance import cdist

from toolkit.weights import Status, check_weights
from zoo.data.portraits import Portraits
from zoo.training.face_alignment import align_face
from zoo.training.face_network import FaceNetwork
from zoo.training.face_weights import NAME

SAME_PERSON = 0.6
"""Distance of two pictures' features up to which dlib's network calls them one person's."""

NUM_COMPARED = 20
"""Pictures that are compared, evenly spaced."""


def warn_of_others(portraits: Portraits) -> None:
    """Warn where pictures seem to show several people; silent without the recogniser.

    Each is compared with the one that is nearest to all others; features of pictures of one person
    are less than 0.6 apart (King, 2017).
    """
    if len(portraits) < 2 or check_weights(NAME) is not Status.INTACT:
        return
    network = FaceNetwork.open()
    compared = min(len(portraits), NUM_COMPARED)
    places = np.linspace(0, len(portraits) - 1, compared).round().astype(int)
    faces = [align_face(portraits.pictures[k], portraits.meshes[k]) for k in places]
    inputs = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        features = network(inputs).double().numpy()
    distances = cdist(features, features)
    away = distances[np.median(distances, axis=1).argmin()]
    others = [portraits.names[place] for place in places[away > SAME_PERSON]]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        warnings.warn(
            f"{portraits.path}: seems to show several people: see {others[0]}{more}, up to "
            f"{away.max():.2f} from the others; one person's are {SAME_PERSON} apart at most",
            stacklevel=3,
        )
