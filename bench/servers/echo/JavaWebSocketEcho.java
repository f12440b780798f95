import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import org.java_websocket.WebSocket;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.server.WebSocketServer;

/** The simple server of Java-WebSocket's README, echoing. */
public class JavaWebSocketEcho extends WebSocketServer {
    JavaWebSocketEcho(InetSocketAddress address) {
        super(address);
    }

    public static void main(String[] args) {
        new JavaWebSocketEcho(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0]))).run();
    }

    @Override
    public void onStart() {}

    @Override
    public void onOpen(WebSocket connection, ClientHandshake handshake) {}

    @Override
    public void onClose(WebSocket connection, int code, String reason, boolean remote) {}

    @Override
    public void onError(WebSocket connection, Exception error) {}

    @Override
    public void onMessage(WebSocket connection, String text) {
        connection.send(text);
    }

    @Override
    public void onMessage(WebSocket connection, ByteBuffer data) {
        connection.send(data);
    }
}
