"""Three of MediaPipe's graphs, run below its Python wrappers: the face mesh and two face detectors.

The mesh graph has two networks. A detector looks for faces in the whole picture; the mesh network
looks at each face it knows of, where the frame before had it. MediaPipe runs the detector in every
frame in which fewer faces are known than were asked for: with one face in the picture and two asked
for, always, at two fifths of the graph's time. Here the caller says whether it runs; everything
else is MediaPipe's. Where the detector finds no other face, a picture's points are the same to the
bit, whether it ran or not.

Each graph runs in one thread: several would take turns, and not one picture be ready sooner.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError, explain_import

_MESH = "mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb"
_DETECTOR = "mediapipe/modules/face_detection/face_detection_{}_cpu.binarypb"
_IMAGE, _SKIP, _FACES = "image", "skip_detector", "multi_face_landmarks"
_ENOUGH = "prev_has_enough_faces"
"""The mesh graph's own stream that stops the detector: it is replaced by `_SKIP`."""

FRAME_MICROSECONDS = 33_333


class _Graph:
    """One running graph: one picture in, the serialised messages of one output stream out.

    Pictures are handed over and messages taken as they lie in memory: MediaPipe's own functions
    copy the one, and parse the other field by field.
    """

    def __init__(self, config: Any, output: str, side: Mapping[str, Any]) -> None:
        from mediapipe.python import packet_creator
        from mediapipe.python._framework_bindings import _packet_getter, calculator_graph
        from mediapipe.python._framework_bindings.image_frame import ImageFormat

        self._make_image, self._rgb = packet_creator.create_image_frame, ImageFormat.SRGB
        self._get_list = _packet_getter._get_serialized_proto_list
        self._output, self._side, self._time = output, dict(side), 0
        self._packets: dict[str, Any] = {}
        self._graph = calculator_graph.CalculatorGraph(graph_config=config)
        self._graph.observe_output_stream(output, self._packets.__setitem__)
        self._start()

    def _start(self) -> None:
        self._graph.start_run(self._side)
        self._graph.wait_until_idle()

    def reset(self) -> None:
        self._graph.close()
        self._start()

    def run(self, picture: npt.NDArray[np.uint8], **other: Any) -> Sequence[bytes]:
        """Feed an RGB picture (height, width, 3) uint8 and packets for other input streams."""
        self._packets.clear()
        self._time += FRAME_MICROSECONDS
        data = np.ascontiguousarray(picture).view()
        data.flags.writeable = False  # this says that it may be used as it lies
        image = self._make_image(image_format=self._rgb, data=data)
        for stream, packet in {**other, _IMAGE: image}.items():
            self._graph.add_packet_to_input_stream(stream=stream, packet=packet.at(self._time))
        self._graph.wait_until_idle()
        found = self._packets.get(self._output)
        return () if found is None or found.is_empty() else self._get_list(found)


class MeshGraph:
    """The face mesh of up to `max_faces` faces; knows how many it follows."""

    def __init__(self, max_faces: int) -> None:
        config = _load_config(_MESH)
        from mediapipe.python import packet_creator

        self._make_bool = packet_creator.create_bool
        self._max_faces, self._num_faces = max_faces, 0
        side = {
            "num_faces": packet_creator.create_int(max_faces),
            "use_prev_landmarks": self._make_bool(True),
            "with_attention": self._make_bool(True),
        }
        _replace_stream(config, _ENOUGH, _SKIP)
        self._graph = _Graph(_open(config, [_IMAGE, _SKIP], _FACES), _FACES, side)

    def reset(self) -> None:
        """Forget the pictures before."""
        self._graph.reset()
        self._num_faces = 0

    def process(self, picture: npt.NDArray[np.uint8], *, look: bool) -> Sequence[bytes]:
        """The faces in one RGB picture (height, width, 3) uint8: serialised lists of landmarks.

        Args:
            picture: the frame after the one before.
            look: whether to look for further faces where one is known; where none is known the
                detector always runs, where as many as were asked for are known never.
        """
        skip = self._num_faces >= self._max_faces or (self._num_faces > 0 and not look)
        faces = self._graph.run(picture, **{_SKIP: self._make_bool(skip)})
        self._num_faces = len(faces)
        return faces


class DetectorGraph:
    """One of MediaPipe's face detectors; keeps no state.

    The short-range one, which is inside the mesh graph, sees faces from about 11 % of the picture's
    longer side on; the full-range one from about 5 %, at three times the time.
    """

    def __init__(self, min_score: float, *, full_range: bool = False) -> None:
        config = _load_config(_DETECTOR.format("full_range" if full_range else "short_range"))
        output = config.output_stream[0].split(":")[-1]
        _replace_stream(config, config.input_stream[0].split(":")[-1], _IMAGE)
        _set_min_score(config, min_score)
        self._graph = _Graph(_open(config, [_IMAGE], output), output, {})

    def detect(
        self, picture: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Boxes (n, 4) xyxy in pixels and scores (n,) of the faces in one RGB picture."""
        from mediapipe.framework.formats.detection_pb2 import Detection

        height, width = picture.shape[:2]
        found = [Detection.FromString(data) for data in self._graph.run(picture)]
        boxes = [face.location_data.relative_bounding_box for face in found]
        corners = [(b.xmin, b.ymin, b.xmin + b.width, b.ymin + b.height) for b in boxes]
        scale = np.array([width, height, width, height], np.float64)
        return (
            np.array(corners, np.float64).reshape(-1, 4) * scale,
            np.array([face.score[0] for face in found], np.float64),
        )


def _load_config(name: str) -> Any:
    """A graph of MediaPipe's wheel, its subgraphs unfolded."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    try:
        import mediapipe
        from mediapipe.framework import calculator_pb2
        from mediapipe.python._framework_bindings import resource_util, validated_graph_config
    except ImportError as error:
        raise SetupError(explain_import(error)) from error
    root = Path(mediapipe.__file__).parents[1]
    resource_util.set_resource_dir(str(root))
    unfolded = validated_graph_config.ValidatedGraphConfig()
    unfolded.initialize(binary_graph_path=str(root / name))
    config = calculator_pb2.CalculatorGraphConfig()
    config.ParseFromString(unfolded.binary_config)
    return config


def _open(config: Any, inputs: list[str], output: str) -> Any:
    """The graph as one that is run by itself, in one thread."""
    del config.input_stream[:], config.output_stream[:], config.input_side_packet[:]
    config.input_stream.extend(inputs)
    config.output_stream.append(output)
    del config.executor[:]
    config.type, config.num_threads = "", 1
    return config


def _replace_stream(config: Any, name: str, by: str) -> None:
    """Let every node that reads a stream read another; the node that makes it goes.

    Raises:
        SetupError: nothing reads it, so this is not the graph we know.
    """
    num_readers = 0
    for node in config.node:
        for index, stream in enumerate(node.input_stream):
            *tag, read = stream.split(":")
            if read == name:
                node.input_stream[index] = ":".join([*tag, by])
                num_readers += 1
    if not num_readers:
        raise SetupError("this mediapipe has other graphs: pip install mediapipe==0.10.21")
    kept = [node for node in config.node if not _makes(node, name)]
    del config.node[:]
    config.node.extend(kept)


def _makes(node: Any, name: str) -> bool:
    return any(stream.split(":")[-1] == name for stream in node.output_stream)


def _set_min_score(config: Any, min_score: float) -> None:
    """MediaPipe's `min_detection_confidence` does not reach this option: it stays at 0.5."""
    from mediapipe.calculators.tensor import tensors_to_detections_calculator_pb2 as messages

    options = messages.TensorsToDetectionsCalculatorOptions()
    for node in config.node:
        for packed in node.node_options:
            if packed.Unpack(options):
                options.min_score_thresh = min_score
                packed.Pack(options)
