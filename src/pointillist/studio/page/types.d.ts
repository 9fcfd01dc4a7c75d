// Types that most scripts of the page name.
type State = import("./state/state.js").State;
type GalleryItem = import("./state/state.js").GalleryItem;
type Canvas = import("./canvas/canvas_model.js").Canvas;
type CanvasImage = import("./canvas/canvas_model.js").CanvasImage;
type PaintingTrace = import("./canvas/painting_trace.js").PaintingTrace;
