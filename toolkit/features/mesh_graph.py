"""MediaPipe's graph of the face mesh, with one valve of it in our hand.

The graph has two networks. A detector looks for faces in the whole picture; the mesh network looks
at each face it knows of, where the frame before had it. MediaPipe runs the detector in every frame
in which fewer faces are known than were asked for: with one face in the picture and two asked for,
always, at two fifths of the graph's time. Here the caller says whether it runs; everything else is
MediaPipe's. A picture gives the same points to the bit, whether the detector ran or not, where it
found no other face.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError, explain_import

_GRAPH = "mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb"
_IMAGE, _SKIP, _FACES = "image", "skip_detector", "multi_face_landmarks"
_ENOUGH = "prev_has_enough_faces"
"""MediaPipe's own stream that closes the valve: at most the number of faces asked for is known."""

_FRAME_MICROSECONDS = 33_333


class MeshGraph:
    """Runs the graph on one picture after another; knows how many faces it follows."""

    def __init__(self, max_faces: int) -> None:
        os.environ.setdefault("GLOG_minloglevel", "2")
        try:
            from mediapipe.python import packet_creator, packet_getter
            from mediapipe.python._framework_bindings import calculator_graph
            from mediapipe.python._framework_bindings.image_frame import ImageFormat
        except ImportError as error:
            raise SetupError(explain_import(error)) from error
        self._make_image, self._rgb = packet_creator.create_image_frame, ImageFormat.SRGB
        self._make_bool, self._get_list = packet_creator.create_bool, packet_getter.get_proto_list
        self._side = {
            "num_faces": packet_creator.create_int(max_faces),
            "use_prev_landmarks": self._make_bool(True),
            "with_attention": self._make_bool(True),
        }
        self._max_faces, self._num_faces, self._time = max_faces, 0, 0
        self._output: dict[str, Any] = {}
        self._graph = calculator_graph.CalculatorGraph(graph_config=_make_config())
        self._graph.observe_output_stream(_FACES, self._output.__setitem__)
        self._graph.start_run(self._side)
        self._graph.wait_until_idle()

    def reset(self) -> None:
        """Forget the pictures before."""
        self._graph.close()
        self._graph.start_run(self._side)
        self._graph.wait_until_idle()
        self._num_faces = 0

    def process(self, picture: npt.NDArray[np.uint8], *, look: bool) -> Sequence[Any]:
        """The faces in one RGB picture (height, width, 3) uint8, as lists of landmarks.

        Args:
            picture: the frame after the one before.
            look: whether to look for further faces where one is known; where none is known the
                detector always runs, where as many as were asked for are known never.
        """
        skip = self._num_faces >= self._max_faces or (self._num_faces > 0 and not look)
        self._output.clear()
        self._time += _FRAME_MICROSECONDS
        image = self._make_image(image_format=self._rgb, data=picture)
        add = self._graph.add_packet_to_input_stream
        add(stream=_SKIP, packet=self._make_bool(skip).at(self._time))
        add(stream=_IMAGE, packet=image.at(self._time))
        self._graph.wait_until_idle()
        packet = self._output.get(_FACES)
        faces = () if packet is None or packet.is_empty() else self._get_list(packet)
        self._num_faces = len(faces)
        return faces


def _make_config() -> Any:
    """MediaPipe's graph from its wheel, its subgraphs unfolded, the valve's control an input.

    It runs in one thread: several would take turns, frame by frame, and not one be quicker.
    """
    import mediapipe
    from mediapipe.framework import calculator_pb2
    from mediapipe.python._framework_bindings import resource_util, validated_graph_config

    root = Path(mediapipe.__file__).parents[1]
    resource_util.set_resource_dir(str(root))
    unfolded = validated_graph_config.ValidatedGraphConfig()
    unfolded.initialize(binary_graph_path=str(root / _GRAPH))
    config = calculator_pb2.CalculatorGraphConfig()
    config.ParseFromString(unfolded.binary_config)
    nodes = list(config.node)
    readers = [node for node in nodes if f"DISALLOW:{_ENOUGH}" in node.input_stream]
    makers = [index for index, node in enumerate(nodes) if _ENOUGH in node.output_stream]
    if len(readers) != 1 or len(makers) != 1:
        raise SetupError("this mediapipe has another face mesh: pip install mediapipe==0.10.21")
    streams = readers[0].input_stream
    streams[list(streams).index(f"DISALLOW:{_ENOUGH}")] = f"DISALLOW:{_SKIP}"
    del config.node[makers[0]], config.executor[:]
    del config.input_stream[:], config.output_stream[:], config.input_side_packet[:]
    config.input_stream.extend([_IMAGE, _SKIP])
    config.output_stream.append(_FACES)
    config.type, config.num_threads = "", 1
    return config
